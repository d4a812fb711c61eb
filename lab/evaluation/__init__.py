"""The protocol: a headset drawn on clips whose truth is known, removed again, and scored."""
