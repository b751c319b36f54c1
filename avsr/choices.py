"""What the options of the command line can be, and the options that several commands have."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Optional

import typer


class Mode(str, Enum):
    """What to recognise from."""

    auto = "auto"
    av = "av"
    audio = "audio"
    lip = "lip"


class Profile(str, Enum):
    """Whom captions are for."""

    sdh = "sdh"
    standard = "standard"


class LmKind(str, Enum):
    """What a language model is made of."""

    ngram = "ngram"
    neural = "neural"


class Domain(str, Enum):
    """What made speech is about."""

    command = "command"
    daily = "daily"


class Layout(str, Enum):
    """How a made corpus is laid out."""

    data = "data"
    lipnet = "lipnet"


class Search(str, Enum):
    """How texts are found."""

    greedy = "greedy"
    own = "own"


class Backend(str, Enum):
    """Where work is done."""

    local = "local"
    ray = "ray"


class Transport(str, Enum):
    """How pictures and sound are sent."""

    websocket = "websocket"
    webrtc = "webrtc"


OnBackend = Annotated[Backend, typer.Option(help="Work on this machine, or on the nodes of a Ray cluster.")]
RayAddress = Annotated[
    Optional[str], typer.Option(metavar="HOST:PORT", help="A Ray cluster that this machine is a node of.", show_default="one of its own")
]
