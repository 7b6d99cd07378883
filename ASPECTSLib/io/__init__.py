"""Reading and writing of images: files, DICOM folders and what a scan must be to be scored."""
