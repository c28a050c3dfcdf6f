"""CloudFormation that makes every resource through its own service's API, reads it back, and knows what it cannot make.

moto's own takes types and properties that it does not know for done. This engine replaces it: a type or property that
nothing here handles is an error before anything is made. `api` serves it.
"""
