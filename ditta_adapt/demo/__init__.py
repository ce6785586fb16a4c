"""Procedural demo data, a visible shift for it, and a small model trained on it.

Nothing here is imported by ``import ditta_adapt``; import the modules you need, for example
``from ditta_adapt.demo.scenes import render_video``.
"""
