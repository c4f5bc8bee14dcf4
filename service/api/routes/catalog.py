"""What can be asked for."""

from __future__ import annotations

from fastapi import APIRouter

from service.api.catalog import DatasetEntry, DeviceEntry, SubjectEntry
from service.api.context import Here
from service.api.schemas import Items, PolicyItems
from service.parity.policy import POLICIES, Policy

router = APIRouter(tags=["catalog"])


@router.get("/subjects")
def list_subjects(here: Here) -> Items[SubjectEntry]:
    """Registered subjects: each may be a reference or a candidate."""
    return Items(items=list(here.catalog.subjects))


@router.get("/datasets")
def list_datasets(here: Here) -> Items[DatasetEntry]:
    """Datasets."""
    return Items(items=list(here.catalog.datasets))


@router.get("/policies", response_model=PolicyItems)
def list_policies() -> Items[Policy]:
    """Policies with their limits."""
    return Items(items=list(POLICIES.values()))


@router.get("/devices")
def list_devices(here: Here) -> Items[DeviceEntry]:
    """Devices of this installation."""
    return Items(items=list(here.catalog.devices))
