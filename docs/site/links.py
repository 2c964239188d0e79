"""Finds links that lead nowhere: in the pages of the site, and in the site that mdBook makes of them."""

import html.parser
import re
import urllib.parse


def in_pages(source):
    """Links of Markdown pages to pages that are missing, and pages that the contents leave out."""
    broken = []
    listed = set()
    for page in sorted(source.rglob("*.md")):
        text = re.sub(r"^(```|~~~).*?^\1", "", page.read_text(), flags=re.M | re.S)
        text = re.sub(r"^    .*$", "", text, flags=re.M) if page.name != "SUMMARY.md" else text
        text = re.sub(r"`[^`\n]*`", "", text)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path = urllib.parse.unquote(target.split("#")[0])
            if "://" in target or not path:
                continue
            found = (page.parent / path).resolve()
            if not found.exists():
                broken.append(f"{page.relative_to(source)}: {target}")
            elif page.name == "SUMMARY.md":
                listed.add(found)
    for page in sorted(source.rglob("*.md")):
        if page.name != "SUMMARY.md" and page.resolve() not in listed:
            broken.append(f"SUMMARY.md does not list {page.relative_to(source)}")
    return broken


class Page(html.parser.HTMLParser):
    """The links of a page, and the places in it to which links can lead."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id" or name == "name" and tag == "a":
                self.anchors.add(value)
            if value and (name == "href" and tag in ("a", "link") or name == "src"):
                self.links.append(value)


def in_site(html):
    """Links of HTML pages to files or places that are missing. Links to other sites are not followed."""
    pages = {path.resolve(): Page(path.read_text()) for path in html.rglob("*.html")}
    broken = []
    for path, page in sorted(pages.items()):
        # The page for addresses that do not exist has links from the root of wherever the site is.
        if path.name in ("404.html", "toc.html"):
            continue
        for link in page.links:
            if re.match(r"[a-z]+:|//", link):
                continue
            target, _, anchor = link.partition("#")
            found = (path.parent / urllib.parse.unquote(target)).resolve() if target else path
            if found.is_dir():
                found = found / "index.html"
            there = found.exists()
            if there and anchor and found in pages:
                there = urllib.parse.unquote(anchor) in pages[found].anchors
            if not there:
                broken.append(f"{path.relative_to(html.resolve())}: {link}")
    return broken
