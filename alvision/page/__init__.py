"""The labelling page: what its server does with a browser's requests.

The server reads the label store and the files that the loop's process writes into the run's folder,
and appends to the store. Here are the HTTP interface (`app`, `guard`, `requests`, `responses`),
what the server knows between two requests (`state`, `run_follower`, `counters`), what it answers
(`labelling`, `assignment`, `vocabulary`, `progress`, `image_urls`) and the two processes (`server`,
`loop_process`). `static/` holds JavaScript and CSS, `templates/` the pages, `text/` every word that
is shown. The server must start in a second and answer in milliseconds, so it imports no torch,
Lightning or Hydra and runs no model. Rules about votes and consensus belong to `alvision.labels`.
"""
