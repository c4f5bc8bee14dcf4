"""The frozen reference: the legacy training code. Imports numpy and, when a GPU is used, cupy; nothing of ours."""
