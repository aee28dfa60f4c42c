"""Files made to harm, by code: nothing here is stored, everything is written by small functions."""
