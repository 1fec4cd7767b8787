"""Calendar objects that others have written, read for one question: when do they take time?

A reader of our own (decision 40): whatever the bytes are, it ends within a budget of steps and raises nothing, and what
it learns of one object is never believed of another.
"""
