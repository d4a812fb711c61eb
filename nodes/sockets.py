"""The types of this pack's own sockets, and the search words that all its nodes share."""

from __future__ import annotations

from comfy_api.latest import io

FaceTrackSocket = io.Custom("FACE_TRACK")
ReferenceSocket = io.Custom("HMD_REFERENCE")
TrackingSocket = io.Custom("HMD_TRACKING")
PersonalModelSocket = io.Custom("HMD_PERSONAL_MODEL")

SEARCH_ALIASES = ["hmd", "vr headset", "headset removal", "de-occlusion", "deocclusion", "unmask", "face inpaint"]
