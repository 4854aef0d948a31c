"""Images that file systems, cameras and programs leave beside the real ones."""

RUBBISH = (
    "ok/@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg",
    "@eaDir/b.jpg",
    "#recycle/c.png",
    "ok/.ipynb_checkpoints/a-checkpoint.png",
    "__MACOSX/ok/d.png",
    "worn/._b.png",
    "$RECYCLE.BIN/e.png",
    "lost+found/f.png",
    "System Volume Information/g.png",
    "photos.alvision/h.png",
    ".Trash-1000/files/i.png",
)
