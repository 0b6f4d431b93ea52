//! The share link: the compact credential in a URL's fragment, which browsers do not send to servers.
