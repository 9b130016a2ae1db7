"""A demonstration company with devices in the field. Nothing of a real installation is here.

Only ``phone``, ``fieldwork`` and ``count`` know the client library; each runs in processes of its
own, so that a server never loads it.
"""
