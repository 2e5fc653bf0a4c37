"""The plain PyTorch loop that child training is compared with: what a tutorial would write.

Same network, batch size, augmentation and optimiser as ours; torchvision transforms on single
images, a DataLoader, float32 (or autocast on a GPU), the default memory layout.
"""

from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from nas_env.data.images import ImageData
from nas_env.training.image_recipes import ImageRecipe


def standardise(image: Tensor) -> Tensor:
    """Per-image standardisation of one (C, H, W) image."""
    return (image - image.mean()) / image.std(correction=0).clamp_min(image.numel() ** -0.5)


class TransformedImages(Dataset[tuple[Tensor, int]]):
    """Images that are transformed one by one, as PIL images."""

    def __init__(self, data: ImageData, recipe: ImageRecipe) -> None:
        from torchvision import transforms

        pixels = data.train_images.cpu().permute(0, 2, 3, 1).numpy()
        self.images = [Image.fromarray(image) for image in pixels]
        self.labels = data.train_labels.tolist()
        steps: list[Any] = []
        if recipe.crop != "none":
            steps.append(transforms.RandomCrop(pixels.shape[1], padding=recipe.crop_margin))
        if recipe.flip:
            steps.append(transforms.RandomHorizontalFlip())
        self.transform = transforms.Compose([*steps, transforms.ToTensor(), standardise])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class PlainTraining:
    """Trains a child step by step.

    Args:
        child: on the data's device.
        data: images.
        recipe: batch size, augmentation and optimiser settings.
        workers: processes that transform images.
    """

    def __init__(
        self, child: nn.Module, data: ImageData, recipe: ImageRecipe, workers: int = 0
    ) -> None:
        self.child = child
        self.device = data.train_images.device
        on_gpu = self.device.type == "cuda"
        self.loader = DataLoader(
            TransformedImages(data, recipe),
            batch_size=recipe.batch_size,
            shuffle=True,
            drop_last=True,
            num_workers=workers,
            pin_memory=on_gpu,
            persistent_workers=workers > 0,
        )
        self.optimiser = torch.optim.SGD(
            child.parameters(),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=True,
        )
        self.loss = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        self.batches = self._endless()

    def step(self) -> None:
        """Load a batch, learn from it, and look at the loss."""
        images, labels = next(self.batches)
        images, labels = images.to(self.device), labels.to(self.device)
        self.optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            loss = self.loss(self.child(images), labels)
        loss.backward()
        self.optimiser.step()
        loss.item()

    def _endless(self) -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from self.loader
