//! What runs a function: python, executable, native
