"""The RTX 5090 family: the legacy kernels, moved and never modified.

`matrix_kernels.py` and `matrix_kernels.cu` are byte-for-byte those of `legacy/`, so that the migrated model launches
what the reference launches, and `legacy/` can one day be deleted. A test compares all three: the copy, the original,
and the digests below.
"""

# SHA-256 of each file as it was moved.
MOVED_DIGESTS = {
    "matrix_kernels.cu": "0b518db177a03ff8c1df0c6c0265273d69a907be7e05a55e31ba4e1214681a41",
    "matrix_kernels.py": "1937068a2aa3091e410db632fe5e4ee65378cb2666c3edc4c3fb4dfa43f490a7",
}
