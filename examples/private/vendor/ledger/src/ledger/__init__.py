"""A path dependency."""


def entry(account, amount):
    return {"account": account, "amount": amount}
