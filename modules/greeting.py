"""A function with arguments: list it as `greeting=greeting` and call it with {"name": "Ada"}."""


def entry_call(name: str, polite: bool = False) -> str:
    return f"Good day, {name}." if polite else f"Hello {name}!"
