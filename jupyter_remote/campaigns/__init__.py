"""Campaigns: many runs from one YAML file, which the hosts run by themselves.

``file.py`` reads and judges the file, ``plan.py`` says what runs, ``placing.py`` where (pure), ``orders.py``
makes each step the order of a run, ``starting.py`` brings them to the hosts, and ``campaign.py`` is one that
was started. A host's part is ``agent/campaigns.py`` and ``agent/campaign_driver.py``.
"""
