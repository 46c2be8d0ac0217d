"""One function per rule: read the inputs, call the layers below, write the outputs.

The programs under workflow/scripts parse a command line and call these.
"""
