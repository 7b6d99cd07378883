"""Studies of papers, repeated on folders of data: each from files in to figures and tables out."""
