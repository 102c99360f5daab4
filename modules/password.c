/* A WebAssembly function: prints a fresh password; {"length": 12} sets how long it is. docs/MODULES.md has the
 * command that builds it. Its arguments come as JSON on standard input, its answer is what it prints. */
#include <stdio.h>
#include <unistd.h>

/* 64 letters, so that six bits of a random byte choose one. */
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int main(void) {
    unsigned char bytes[64];
    unsigned length = 20;
    scanf(" { \"length\" : %u", &length);
    if (length < 1 || length > sizeof bytes) {
        fprintf(stderr, "length must be from 1 to %zu\n", sizeof bytes);
        return 1;
    }
    if (getentropy(bytes, length) != 0) {
        perror("random bytes");
        return 1;
    }
    for (unsigned i = 0; i < length; i++)
        putchar(letters[bytes[i] % 64]);
    return 0;
}
