"""One file per article-master format."""
