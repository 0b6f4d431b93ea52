//! One module a format: build the bytes that are signed, read the text that was.
