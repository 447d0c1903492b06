"""Pieces of Markdown that make links, code or structure when they meet."""

FRAGMENTS = (
    *("http", "https", "HTTP", ":", "/", "//", "www", "WWW", ".", "@", "mailto", "a", "evil.org"),
    *("&colon;", "&#58;", "&#x3A;", "&sol;", "&#47;", "&period;", "&#46;", "&commat;", "&#64;"),
    *("&#119;", "&#x57;", "&amp;", "&#0000058;", "\\", "\\:", "\\/", "\\@", "\\.", "\\`", "&"),
    *("[", "]", "(", ")", "![", "](", "]:", "[1]", "[^1]", "<", ">", "<http:", "</", "<a b='"),
    *("http://evil.org", "www.evil.org", "a@evil.org", "[a](http://evil.org)", "[a]: http://b.org"),
    *("`", "``", "```", "~~~", "    ", "\t", "\n", "\n\n", "- ", "1. ", "> ", "# ", "|", "|-|"),
    *("\n```\n", "\n\n    ", "\n- ", "\n> ", "\n  ", "\n| ", "`\n", " `", "\n---\n", "\n===\n"),
    *(" ", "---", "*", "_", "~~", "{x}", ":a", "::a[", ":::a", "\r\n", "\r", "\x0b", "\x1c"),
    *("\ufeff", "http&#x3A;//e.org", "www&#X2e;e.org", "a&#x40;e.org", "http\\:\\/\\/e.org"),
)
