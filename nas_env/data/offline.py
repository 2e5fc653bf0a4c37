"""What to do without a network or without data: the last words of many errors."""

OFFLINE_IMAGES = (
    "Without a network use the data that ships with a dependency: "
    "`--env NAS-Digits-v0` (dataset='digits'), or give the path of an image folder as the dataset."
)
OFFLINE_TEXT = (
    "Without a network use the text that ships with Python: `--env NAS-PyDocs-v0` "
    "(dataset='pydocs'), or give a folder with *.train.txt, *.valid.txt and *.test.txt as the "
    "dataset."
)
