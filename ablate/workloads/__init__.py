"""What can be trained: the built-in ResNet9, and the user's own functions and commands.

May import `studies` and everything below it.
"""
