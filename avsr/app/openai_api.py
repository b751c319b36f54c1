"""OpenAI's endpoint for transcriptions, for programs that speak it already: POST /v1/audio/transcriptions. It takes video too.

After the API reference of OpenAI (audio, create transcription): fields file, model, language, prompt, response_format, stream,
timestamp_granularities[]. What concerns OpenAI's own models is taken and plays no part: model, language, prompt, temperature.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.responses import JSONResponse, StreamingResponse

from avsr.app.settings import MEDIA, RESULT
from avsr.app.store import Video
from avsr.app.uploads import Uploads
from avsr.app.videos import caption_file

FORMATS = ("json", "text", "srt", "vtt", "verbose_json", "diarized_json")
_FIELDS, _FIELD_BYTES = 20, 64 << 10  # of a form
_LOOK = 0.2  # seconds between two looks at how far it is
_BLOCK = 1 << 20


class _Refused(Exception):
    """Why a request cannot be answered, in OpenAI's form."""

    def __init__(self, status: int, message: str, *, param: str | None = None, retry: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.retry = status, param, retry

    def response(self) -> JSONResponse:
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        body = {"error": {"message": str(self), "type": kind, "param": self.param, "code": None}}
        return JSONResponse(body, self.status, {"Retry-After": self.retry} if self.retry else None)


def openai_routes(uploads: Uploads) -> APIRouter:
    """/v1/audio/transcriptions and /v1/models."""
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    def models() -> dict:
        return {"object": "list", "data": [{"id": "avsr", "object": "model", "created": 0, "owned_by": "avsr"}]}

    @router.post("/audio/transcriptions")
    async def transcriptions(request: Request) -> Response:
        try:
            video, wanted, stream, words = await _take(uploads, request)
        except _Refused as refused:
            return refused.response()
        if stream:
            return StreamingResponse(_deltas(uploads, video), media_type="text/event-stream")
        try:
            await _wait(uploads, video, request)
            return await run_in_threadpool(_answer, uploads, video.id, wanted, words)
        except _Refused as refused:
            return refused.response()
        finally:
            await uploads.remove_anyway(video)

    return router


async def _take(uploads: Uploads, request: Request) -> tuple[Video, str, bool, bool]:
    """The form's video in the queue; the format that is wanted, whether as a stream, and whether with word times."""
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > uploads.settings.max_bytes + _FIELDS * _FIELD_BYTES:
        raise _Refused(413, f"it is {length} bytes long; {uploads.settings.max_bytes} are taken.", param="file")
    refused = await run_in_threadpool(uploads.room_for, int(length) if length.isdigit() else 0)
    if refused is not None:
        raise _busy(refused)
    try:
        form = await request.form(max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES)
    except (MultiPartException, ValueError) as error:
        raise _Refused(400, f"the form cannot be read ({error}).") from error
    try:
        file, wanted, stream, words = _fields(form)
        if (file.size or 0) > uploads.settings.max_bytes:
            raise _Refused(413, f"it is {file.size} bytes long; {uploads.settings.max_bytes} are taken.", param="file")
        video = await run_in_threadpool(uploads.begin, request.scope["owner"], file.filename or "", "auto", file.size or 0)
        if isinstance(video, Response):  # others came while the form did
            raise _busy(video)
        await _store(uploads, video, file)
    finally:
        await form.close()
    refused = await uploads.admit(video)
    if refused is not None:
        await uploads.remove_anyway(video)
        raise _Refused(400, json.loads(refused.body)["error"]["message"], param="file")
    return video, wanted, stream, words


def _busy(refused: Response) -> _Refused:
    return _Refused(refused.status_code, json.loads(refused.body)["error"]["message"], retry=refused.headers.get("retry-after"))


def _fields(form: FormData) -> tuple[UploadFile, str, bool, bool]:
    file = form.get("file")
    if not isinstance(file, UploadFile) or not file.size:
        raise _Refused(400, "give the video or sound as `file`.", param="file")
    if not form.get("model"):
        raise _Refused(400, "give `model`; whatever it names, this server's own is used.", param="model")
    wanted = str(form.get("response_format") or "json")
    if wanted not in FORMATS:
        raise _Refused(400, f"response_format can be {', '.join(FORMATS)}.", param="response_format")
    kinds = form.getlist("timestamp_granularities[]") + form.getlist("timestamp_granularities")
    return file, wanted, str(form.get("stream") or "").lower() in ("true", "1"), "word" in kinds


async def _store(uploads: Uploads, video: Video, file: UploadFile) -> None:
    with open(uploads.settings.folder(video.id) / MEDIA, "ab") as media:
        while block := await file.read(_BLOCK):
            await run_in_threadpool(media.write, block)


async def _wait(uploads: Uploads, video: Video, request: Request) -> None:
    """Until the video is done; _Refused where it fails, or nobody waits for it any more."""
    while True:
        now = await run_in_threadpool(uploads.store.video, video.id)
        if now is None or now.state == "failed":
            raise _Refused(400, now.error_message if now else "it was deleted meanwhile.", param="file")
        if now.state == "done":
            return
        if await request.is_disconnected():
            raise _Refused(400, "nobody waits for the answer.")
        await asyncio.sleep(_LOOK)


async def _deltas(uploads: Uploads, video: Video) -> AsyncIterator[str]:
    """Server-sent events: transcript.text.delta as captions are drafted, and transcript.text.done with the whole."""
    told = 0
    try:
        while True:
            now = await run_in_threadpool(uploads.store.video, video.id)
            if now is None or now.state == "failed":
                yield _event({"type": "error", "error": {"message": now.error_message if now else "it was deleted meanwhile."}})
                return
            if now.state == "done":
                text = (await run_in_threadpool(_result, uploads, video.id))["text"]
                if text and not told:  # done between two looks
                    yield _event({"type": "transcript.text.delta", "delta": text})
                yield _event({"type": "transcript.text.done", "text": text})
                yield "data: [DONE]\n\n"
                return
            for cue in await run_in_threadpool(uploads.store.cues, video.id, told):
                delta = " ".join(cue.text.split())
                yield _event({"type": "transcript.text.delta", "delta": f" {delta}" if told else delta})
                told = cue.n
            await asyncio.sleep(_LOOK)
    finally:
        await uploads.remove_anyway(video)


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _answer(uploads: Uploads, id: str, wanted: str, words: bool) -> Response:
    video = uploads.store.video(id)
    if wanted in ("srt", "vtt"):
        return Response(caption_file(uploads, video, wanted), media_type="text/plain; charset=utf-8")
    result = _result(uploads, id)
    if wanted == "text":
        return Response(result["text"] + "\n", media_type="text/plain; charset=utf-8")
    if wanted == "json":
        return JSONResponse({"text": result["text"]})
    segments = result["segments"]
    if wanted == "diarized_json":
        told = [
            {"type": "transcript.text.segment", "id": f"seg_{n}", "start": one["start"], "end": one["end"], "text": one["text"],
             "speaker": _speaker(one["speaker"])} for n, one in enumerate(segments)
        ]  # fmt: skip
        return JSONResponse({"task": "transcribe", "duration": result["duration"], "text": result["text"], "segments": told})
    body = {"task": "transcribe", "language": "korean", "duration": result["duration"], "text": result["text"]}
    body["segments"] = [_segment(n, one) for n, one in enumerate(segments)]
    if words:
        body["words"] = [{"word": word["text"], "start": word["start"], "end": word["end"]} for one in segments for word in one["words"]]
    return JSONResponse(body)


def _segment(number: int, segment: dict[str, Any]) -> dict[str, Any]:
    """As verbose_json has it; what only Whisper knows of itself is 0 or empty."""
    return {
        "id": number, "seek": 0, "start": segment["start"], "end": segment["end"], "text": segment["text"], "tokens": [], "temperature": 0.0,
        "avg_logprob": 0.0, "compression_ratio": 1.0, "no_speech_prob": 0.0, "source": segment["source"],
    }  # fmt: skip


def _speaker(number: int | None) -> str:
    """A, B, ... as OpenAI's diarization says; those out of the picture are "unseen"."""
    if number is None:
        return "A"
    return "unseen" if number == 0 else chr(ord("A") + (number - 1) % 26)


def _result(uploads: Uploads, id: str) -> dict[str, Any]:
    return json.loads((uploads.settings.folder(id) / RESULT).read_bytes())
