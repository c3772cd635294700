"""A member of the workspace."""


def price(units, tariff):
    return round(units * tariff, 2)
