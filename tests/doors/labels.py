"""Files of labels, as spreadsheets, pandas and CelebA write them."""

import io

import numpy as np
import pandas as pd

from lwedit.domains.ffhq.files import CELEBA_ATTRIBUTES
from tests.doors.case import Case

Y, NAMES = [[0, 1], [1, 0], [1, 1]], ("left", "up")
TRUTH = (Y, NAMES, None)
FILES = ("000001.jpg", "000002.jpg", "000003.jpg")
FRAME = pd.DataFrame(Y, columns=list(NAMES))
NAMED = pd.DataFrame(Y, columns=list(NAMES), index=pd.Index(FILES, name="image_id"))
SIGNED = 2 * np.array(Y) - 1


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array))
    return buffer.getvalue()


def celeba(y, names):
    rows = "".join(f"{i:06d}.jpg {' '.join(f'{2 * v - 1:2d}' for v in row)}\n"
                   for i, row in enumerate(y, start=1))
    return f"{len(y)}\n{' '.join(names)} \n{rows}"


_FORTY = np.random.default_rng(0).integers(0, 2, (3, 40)).tolist()
_ODD = ("5_o_Clock_Shadow", "Wearing Lipstick", "größer?", "a/b|c")

TAKEN = (
    Case("CSV of 0 and 1 below a row of names", "left,up\n0,1\n1,0\n1,1\n", TRUTH, "labels"),
    Case("CelebA's own list_attr_celeba.txt: a count, 40 names, runs of blanks, −1 and 1",
         celeba(_FORTY, CELEBA_ATTRIBUTES), (_FORTY, CELEBA_ATTRIBUTES, FILES),
         "labels by file name; −1 is 0"),
    Case("the same without the count", celeba(Y, NAMES).split("\n", 1)[1], (Y, NAMES, FILES),
         "labels by file name"),
    Case("any name that is not empty and has no comma",
         ",".join(_ODD) + "\n0,1,0,1\n1,0,1,0\n", ([[0, 1, 0, 1], [1, 0, 1, 0]], _ODD, None),
         "the name as it is"),
    Case("byte-order mark (a spreadsheet's CSV UTF-8)",
         FRAME.to_csv(index=False).encode("utf-8-sig"), TRUTH, "labels"),
    Case("a spreadsheet's Unicode text: UTF-16, tabs, CRLF",
         FRAME.to_csv(index=False, sep="\t", lineterminator="\r\n").encode("utf-16"), TRUTH,
         "labels"),
    Case("semicolons", FRAME.to_csv(index=False, sep=";"), TRUTH, "labels"),
    Case("semicolons and decimal commas",
         FRAME.astype(float).to_csv(index=False, sep=";", decimal=","), TRUTH, "labels"),
    Case("tabs", FRAME.to_csv(index=False, sep="\t"), TRUTH, "labels"),
    Case("blanks after commas", "left, up\n0, 1\n1, 0\n1, 1\n", TRUTH, "labels"),
    Case("blank lines at the end, CRLF", "left,up\r\n0,1\r\n1,0\r\n1,1\r\n\r\n\r\n", TRUTH,
         "labels"),
    Case("a spreadsheet's empty rows and columns", "left,up,\n0,1,\n1,0,\n1,1,\n,,\n", TRUTH,
         "labels"),
    Case("quoted cells", FRAME.astype(str).to_csv(index=False, quoting=1), TRUTH, "labels"),
    Case("pandas' index column", FRAME.to_csv(), TRUTH, "labels by order"),
    Case("a column index, id or Unnamed: 0", FRAME.to_csv(index_label="Unnamed: 0"), TRUTH,
         "labels by order"),
    Case("a column image_id of file names", NAMED.to_csv(), (Y, NAMES, FILES),
         "labels by file name"),
    Case("True and False", FRAME.astype(bool).to_csv(index=False), TRUTH, "labels"),
    Case("yes and no, in any case", "left,up\nNo,Yes\nYES,no\nyes,YES\n", TRUTH, "labels"),
    Case("−1 and 1", pd.DataFrame(SIGNED, columns=list(NAMES)).to_csv(index=False), TRUTH,
         "−1 is 0"),
    Case("floats", FRAME.astype(float).to_csv(index=False), TRUTH, "labels"),
    Case("one column", "left\n0\n1\n1\n", ([[0], [1], [1]], ("left",), None), "one attribute"),
    Case(".npy of whole numbers, booleans or floats", npy(np.array(Y, bool)),
         (Y, ("attribute_0", "attribute_1"), None), "labels, named attribute_0, …"),
    Case(".npy of −1 and 1, big-endian floats", npy(SIGNED.astype(">f8")),
         (Y, ("attribute_0", "attribute_1"), None), "−1 is 0"),
    Case(".npy of one column", npy([0, 1, 1]), ([[0], [1], [1]], ("attribute_0",), None),
         "one attribute"),
)

REFUSED = (
    Case("another value", "left,up\n0,1\n1,2\n", refused="row 1 (line 3 of the file), column 'up'"),
    Case("a missing value", "left,up\n0,\n1,1\n", refused="column 'up' of 'file' holds nothing"),
    Case("a probability", "left,up\n0,1\n0.7,1\n", refused="column 'left' of 'file' holds '0.7'"),
    Case("0 beside −1 and 1", "left,up\n0,1\n-1,1\n1,0\n", refused="holds '0 beside -1'"),
    Case("a row that is too short", "left,up\n0,1\n1\n",
         refused="a value for each of 2 columns, line 3 of 'file' has 1"),
    Case("a name twice", "left,left\n0,1\n", refused="'left' stands twice"),
    Case("a name with a comma", '"a, b",c\n0,1\n', refused="hold no comma, 'file' has 'a, b'"),
    Case("no names above the values", "0,1,0\n1,0,1\n",
         refused="must have different names in their first row, '0' stands twice"),
    Case("names alone", "left,up\n", refused="has one row only"),
    Case("a count that the rows do not reach", celeba(Y, NAMES).rsplit("\n", 2)[0] + "\n",
         refused="announces 3 rows and holds 2"),
    Case("an empty file", "", refused="is empty"),
    Case("text that is not UTF-8", "größe\n1\n".encode("latin-1"),
         refused="save it as CSV (UTF-8)"),
    Case("bytes that are no text", b"left\x00up\n0\n", refused="holds bytes that are none"),
    Case("a web page", "<!doctype html><html>", refused="is a web page: the download was refused"),
    Case("an .xlsx", "xlsx", refused="is a spreadsheet: save it as CSV (UTF-8)"),
    Case("an .npy of objects", "objects", refused="holds Python objects, which are never opened"),
    Case("an .npy of three axes", npy(np.zeros((2, 2, 2))),
         refused="numbers of shape (n, attributes)"),
)
