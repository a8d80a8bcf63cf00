"""The sources' files brought in by themselves, from folders and servers. In a process of its own."""
