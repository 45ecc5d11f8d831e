"""Other projects' own tests and programs, run on our dispatcher."""
