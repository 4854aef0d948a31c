"""What a bundle says of a folder of photographs: a table and a page with the most telling ones."""
