"""What work in progress is told when it asks how to go on: training, baselines and every job of the queue alike."""

from typing import Literal

Answer = Literal["go", "stop", "cancel", "pause"]  # stop keeps what was made so far, pause lets it go on later
