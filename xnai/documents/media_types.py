"""Media types of the files that are read."""

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TEXT = "text/plain"
MAIL = "message/rfc822"
OUTLOOK = "application/vnd.ms-outlook"
EPUB = "application/epub+zip"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
OPEN_DOCUMENTS = frozenset({ODT, ODS, ODP})
RTF = "application/rtf"
# Of Office before 2007, or in binary form: LibreOffice makes of them what is read.
DOC, PPT, XLS = "application/msword", "application/vnd.ms-powerpoint", "application/vnd.ms-excel"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
OLD_OFFICE = {DOC: DOCX, PPT: PPTX, XLS: XLSX, XLSB: XLSX}
JSON, JSON_LINES = "application/json", "application/jsonl"
NOTEBOOK = "application/x-ipynb+json"
YAML = "application/yaml"
XML, FEED = "application/xml", "application/rss+xml"
SUBTITLES = "application/x-subrip"
MAILBOX = "application/mbox"
SAVED_PAGE = "multipart/related"  # MHTML
ARCHIVE = "application/zip"
PACKED = frozenset({ARCHIVE, MAILBOX})  # of files or messages, which are not read within another
PNG, JPEG, TIFF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/webp"
PHOTOS = frozenset({PNG, JPEG, TIFF, WEBP})
DRAWN = PHOTOS | {PDF}  # whose pages can be shown as pictures
# Whose texts have no marks of Markdown.
NOT_MARKDOWN = PHOTOS | {PDF, TEXT, MAIL, OUTLOOK, MAILBOX, SUBTITLES}
