"""The local content store: an OCI image layout, and the folder (``SAMOVAR_HOME``) it stands in.

Nothing unverified ever stands under its final name. Names are in ``index.json``; everything else
is a blob under its digest.
"""
