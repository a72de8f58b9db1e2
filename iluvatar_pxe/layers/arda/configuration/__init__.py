"""Talos' machine configurations, made of facts. Pure.

``facts`` has what goes in, ``make`` what comes out: the documents of a whole configuration and of a partial one.
``v1_13`` and ``v1_14`` have the documents of each contract, ``common`` those that both have.
"""
