// Links the translation units of all public headers into one program: what a header defines must be inline.
int main() { return 0; }
