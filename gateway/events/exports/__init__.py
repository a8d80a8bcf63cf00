"""Other forms of an event, made on request from what is stored. Pure: one file per form."""
