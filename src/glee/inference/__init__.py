"""From images and prompts to instances."""
