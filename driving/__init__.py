"""Eye and face tracking data: readers, in time with the picture, what they say of a person, and what that moves."""
