/// A Python program that makes random trees and edits them: seeded, and without any of the code under test.
enum Edits {
    static let program = #"""
        import os, random, shutil, struct, sys
        root, seed, count = os.fsencode(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
        dice = random.Random(seed)
        names = [b'a', b'b', b'a-b', b'a.b', b'\xff\xfe', 'caf\u00e9'.encode(), 'cafe\u0301'.encode(), b'x y', b'long' * 40, b'.wh', b'-', b'n\nl']
        def paths():
            found = []
            for top, dirs, files in os.walk(root):
                dirs.sort(); files.sort()
                found += [os.path.join(top, n) for n in dirs + files]
            return found
        def directories():
            return [root] + [p for p in paths() if os.path.isdir(p) and not os.path.islink(p)]
        def fresh():
            return os.path.join(dice.choice(directories()), dice.choice(names))
        def remove(p):
            if os.path.isdir(p) and not os.path.islink(p): shutil.rmtree(p)
            else: os.unlink(p)
        def content():
            size = dice.choice([0, 1, 511, 512, 513, 5000, 70000, 300000])
            return dice.randbytes(size) if dice.random() < 0.7 else bytes(size)
        def write(p):
            if os.path.isdir(p) and not os.path.islink(p): return
            if os.path.lexists(p) and not os.path.isfile(p): remove(p)
            if os.path.islink(p): remove(p)
            with open(p, 'wb') as f:
                f.write(content())
                if dice.random() < 0.1: f.truncate(dice.choice([10, 2000000]))
        def attributes(p):
            if os.path.islink(p): return
            if os.path.isfile(p) or os.path.isdir(p):
                os.setxattr(p, b'user.' + dice.choice([b'k', b'\xc3\xa9']), dice.randbytes(dice.choice([0, 1, 40])))
            if os.path.isfile(p) and dice.random() < 0.4:
                os.setxattr(p, 'security.capability', struct.pack('<IIIII', 0x02000001, dice.choice([1, 0x2000]), 0, 0, 0))
        def any_path():
            found = paths()
            return dice.choice(found) if found else None
        def step():
            what = dice.random()
            if what < 0.25: write(fresh())
            elif what < 0.40:
                p = fresh()
                if not os.path.lexists(p): os.mkdir(p)
            elif what < 0.45:
                p = fresh()
                if not os.path.lexists(p): os.symlink(dice.choice([b'a', b'/etc', b'../\xff', b'z' * 150]), p)
            elif what < 0.48:
                p = fresh()
                if not os.path.lexists(p): os.mkfifo(p)
            elif what < 0.50:
                p = fresh()
                if not os.path.lexists(p): os.mknod(p, 0o20644, os.makedev(1, 3))
            elif what < 0.60:
                p, q = any_path(), fresh()
                if p and os.path.isfile(p) and not os.path.lexists(q): os.link(p, q, follow_symlinks=False)
            else:
                p = any_path()
                if not p: return
                if what < 0.68: remove(p)
                elif what < 0.72:
                    remove(p)
                    os.mkdir(p)
                elif what < 0.76:
                    remove(p)
                    write(p)
                elif what < 0.82:
                    if not os.path.islink(p): os.chmod(p, dice.choice([0, 0o755, 0o4711, 0o2750, 0o1777, 0o600]))
                elif what < 0.87: os.chown(p, dice.choice([0, 5, 100000]), dice.choice([0, 7]), follow_symlinks=False)
                elif what < 0.92: attributes(p)
                elif what < 0.96: os.utime(p, (1, dice.choice([-5, 0, 12345])), follow_symlinks=False)
                else:
                    q = fresh()
                    if not os.path.lexists(q) and not q.startswith(p + b'/'):
                        try: os.rename(p, q)
                        except OSError as e:
                            # Overlay does not rename merged directories; mv copies.
                            if e.errno != 18: raise
        for _ in range(count): step()
        """#
}
