"""What the server has decoded of all that FFmpeg can, by the names that FFmpeg has for codecs: what cameras, phones, browsers and editors
write. A decoder that is hardly ever used is one that is hardly ever checked, and FFmpeg has hundreds of those."""

from __future__ import annotations

from avsr.media.container import allow_decoders

VIDEO_CODECS = frozenset(
    "h264 hevc vp8 vp9 av1 mpeg4 mpeg2video mpeg1video mjpeg h263 prores theora msmpeg4v2 msmpeg4v3 wmv1 wmv2 wmv3 vc1 flv1 dvvideo".split()
)
AUDIO_CODECS = frozenset(
    "aac mp3 mp2 opus vorbis flac alac ac3 eac3 amr_nb amr_wb wmav1 wmav2 pcm_s16le pcm_s16be pcm_s24le pcm_s32le pcm_f32le pcm_u8 "
    "pcm_mulaw pcm_alaw adpcm_ms adpcm_ima_wav".split()
)
# Decoders that are called otherwise than what they decode.
_DECODERS = frozenset("libdav1d msmpeg4 flv mp3float mp2float amrnb amrwb".split())


def allow_usual_codecs() -> None:
    """For this process, from now on: FFmpeg opens no other decoder, not even to see what a file holds."""
    allow_decoders(VIDEO_CODECS | AUDIO_CODECS | _DECODERS)
