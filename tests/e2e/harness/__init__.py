"""What the stories are told with: the binary, its clients, an upstream, and the records they leave."""
