"""Reading case files and changes to them."""
