"""What run.sh's stages do, one module a stage, each a command line of its own."""
