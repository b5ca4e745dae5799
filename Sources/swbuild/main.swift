print("swbuild")
