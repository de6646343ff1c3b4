//! Private servers, free ports and clients for tests.
