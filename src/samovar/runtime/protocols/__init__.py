"""What clients speak: how a request becomes rows, and how answers become a reply."""
