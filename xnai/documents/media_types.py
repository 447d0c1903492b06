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
EPUB = "application/epub+zip"
PNG, JPEG, TIFF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/webp"
PHOTOS = frozenset({PNG, JPEG, TIFF, WEBP})
DRAWN = PHOTOS | {PDF}  # whose pages can be shown as pictures
# Whose texts have no marks of Markdown.
NOT_MARKDOWN = PHOTOS | {PDF, TEXT, MAIL}
