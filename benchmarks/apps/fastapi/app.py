"""A small ASGI service: what it imports is many modules, and few bytes."""

import boto3
import httpx
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    bucket: str = "orders"
    upstream: str = "https://example.com"


class Order(BaseModel):
    number: int
    lines: list[str] = []


settings = Settings()
storage = boto3.client("s3")
upstream = httpx.AsyncClient(base_url=settings.upstream)
app = FastAPI()


@app.get("/")
async def index() -> Order:
    return Order(number=1, lines=[settings.bucket])


@app.post("/orders")
async def order(one: Order) -> Order:
    storage.put_object(Bucket=settings.bucket, Key=str(one.number), Body=one.model_dump_json())
    await upstream.post("/orders", json=one.model_dump())
    return one
