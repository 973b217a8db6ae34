"""Every internal link of a built site leads somewhere: ``python .ci/links.py docs/_build/html``."""

import sys
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Addresses that a page refers to, and the places in it that others may refer to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places = set(), {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note the links and places of one element."""
        attributes = dict(attrs)
        self.links |= {attributes[name] for name in ("href", "src") if attributes.get(name)}
        self.places |= {attributes[name] for name in ("id", "name") if attributes.get(name)}


@cache
def read(path):
    """The page in a file; it is read once."""
    return Page(path)


def pages(root):
    """HTML files of the site, without the theme's own templates."""
    return [path for path in sorted(root.rglob("*.html")) if "_static" not in path.parts]


def dead(root):
    """Yield (page, link) for each link to a file or place that is not there."""
    for path in pages(root):
        for link in sorted(read(path).links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target /= "index.html"
            is_page = target.suffix == ".html"
            if not target.exists() or (
                is_page and unquote(parts.fragment) not in read(target).places
            ):
                yield path.relative_to(root), link


if __name__ == "__main__":
    root = Path(sys.argv[1]).resolve()
    found = list(dead(root))
    for page, link in found:
        print(f"{page}: {link} leads nowhere")
    print(f"{len(pages(root))} pages, {len(found)} dead links")
    sys.exit(bool(found) or not pages(root))
