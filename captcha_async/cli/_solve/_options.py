"""The options of `solve`."""

from __future__ import annotations

from typing import Annotated

import typer

from ._what import complete_what

What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="An image: file, address or -; or a type by name.",
        autocompletion=complete_what,
    ),
]
Url = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="The page that shows the captcha.")
]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="The site key of the captcha.")
]
Action = Annotated[str | None, typer.Option("--action", metavar="NAME", help="The page's action.")]
Invisible = Annotated[bool, typer.Option("--invisible", help="An invisible widget.")]
MinScore = Annotated[
    float | None, typer.Option("--min-score", metavar="SCORE", help="Least score, 0.1 to 0.9.")
]
ProxyOption = Annotated[
    str | None, typer.Option("--proxy", metavar="URL", help="Proxy for the service to use.")
]
FieldOption = Annotated[
    list[str] | None,
    typer.Option(
        "--field",
        "-f",
        metavar="NAME=VALUE",
        help="Any other field; file=NAME sends an image.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", min=0.0, help="For everything together."),
]
